// Runs the episodes that lie beside the page, and says how often the net was right.

export async function selftest(net) {
  const told = await fetch("episodes.json");
  if (!told.ok) return { accuracy: null, ms: null, episodes: 0 };
  const { episodes } = await told.json();
  let right = 0;
  let asked = 0;
  const times = [];
  for (const episode of episodes) {
    const learned = await net.adapt(unpacked(episode.support, net.page), episode.support_y);
    times.push(learned.ms);
    const answers = await net.predict(learned, unpacked(episode.query, net.page));
    answers.forEach((answer, i) => {
      asked += 1;
      if (answer.indexOf(Math.max(...answer)) === episode.query_y[i]) right += 1;
    });
  }
  times.sort((a, b) => a - b);
  return {
    accuracy: right / asked,
    ms: times[Math.floor(times.length / 2)],
    episodes: episodes.length,
  };
}

// Pictures from base64 of their bytes, 0 to 255.
function unpacked(text, { height, width }) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const size = height * width;
  return Array.from({ length: bytes.length / size }, (_, i) =>
    Float32Array.from(bytes.subarray(i * size, (i + 1) * size), (n) => n / 255),
  );
}
