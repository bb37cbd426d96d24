// Keeps the page's files, so that it opens without a network too.

const KEPT = "tfmeta-VERSION";
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
    // Only a self-test needs the episodes, which may not be there.
    await kept.addAll(FILES.filter((file) => file !== "episodes.json"));
    await kept.add("episodes.json").catch(() => {});
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const old = (await caches.keys()).filter((key) => key.startsWith("tfmeta-") && key !== KEPT);
    await Promise.all(old.map((key) => caches.delete(key)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

// Files that belong together come from one place: all as they were kept, or all fresh.
self.addEventListener("fetch", (event) => {
  const own = FILES.some((file) => new URL(file, self.location).href === event.request.url);
  if (event.request.method !== "GET" || !own) return;
  const answer = async () => (await caches.match(event.request)) ?? fetch(event.request);
  event.respondWith(answer());
});
