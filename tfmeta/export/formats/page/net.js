// The net: two files of ONNX, one that adapts and one that predicts.

import * as ort from "./ort/ort.js";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = {
  wasm: new URL("./ort/ort.wasm", import.meta.url).href,
};

export class Net {
  static async load(page) {
    const [adapt, predict] = await Promise.all(
      ["adapt.onnx", "predict.onnx"].map((file) =>
        ort.InferenceSession.create(file, { executionProviders: ["wasm"] }),
      ),
    );
    return new Net(page, adapt, predict);
  }

  constructor(page, adapt, predict) {
    Object.assign(this, { page, adapting: adapt, predicting: predict });
  }

  pictures(list) {
    const { height, width } = this.page;
    const numbers = new Float32Array(list.length * height * width);
    list.forEach((picture, i) => numbers.set(picture, i * height * width));
    return new ort.Tensor("float32", numbers, [list.length, height, width, 1]);
  }

  // Learns from pictures and the numbers of their classes; returns what it has learned.
  async adapt(pictures, labels) {
    const start = performance.now();
    const state = await this.adapting.run({
      support_x: this.pictures(pictures),
      support_y: new ort.Tensor("int32", Int32Array.from(labels), [labels.length]),
    });
    return { state, ms: performance.now() - start };
  }

  // The probabilities of each class for each picture, as arrays.
  async predict({ state }, pictures) {
    const feeds = { query_x: this.pictures(pictures) };
    for (const name of this.predicting.inputNames) {
      if (name !== "query_x") feeds[name] = state[name];
    }
    const { probabilities, valid } = await this.predicting.run(feeds);
    if (Number(valid.data[0]) !== 1) throw new Error("The net refused the drawings.");
    const way = probabilities.dims[1];
    return pictures.map((_, i) =>
      Array.from(probabilities.data.slice(i * way, (i + 1) * way)),
    );
  }
}
