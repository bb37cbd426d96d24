// Keeps the page's files, so that it opens without a network too.

const KEPT = "tfmeta";
const FILES = [
  "./",
  "app.js",
  "ink.js",
  "net.js",
  "selftest.js",
  "style.css",
  "icon.svg",
  "page.json",
  "episodes.json",
  "adapt.onnx",
  "predict.onnx",
  "ort/ort.js",
  "ort/ort.wasm",
];

self.addEventListener("install", (event) => {
  const keep = async () => {
    const kept = await caches.open(KEPT);
    await Promise.all(FILES.map((file) => kept.add(file).catch(() => {})));
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const answer = async () => {
    try {
      const fresh = await fetch(event.request);
      if (fresh.ok) (await caches.open(KEPT)).put(event.request, fresh.clone());
      return fresh;
    } catch (error) {
      const kept = await caches.match(event.request, { ignoreSearch: true });
      if (kept) return kept;
      throw error;
    }
  };
  if (event.request.method === "GET") event.respondWith(answer());
});
