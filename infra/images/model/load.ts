/** Loads model.json from a model's folder, a file or a gs:// address. */
import { explain, ImageError, parseJson } from "../arguments.js";
import { readText } from "../io.js";
import { modelSchema, type Model } from "./schema.js";
import { compileModel } from "./score.js";

/** Where model.json lies for a folder or file address. */
export function modelAddress(address: string): string {
  return address.endsWith(".json") ? address : `${address.replace(/\/+$/, "")}/model.json`;
}

/** The model at an address; an error says what is wrong with which file. */
export async function loadModel(address: string): Promise<Model> {
  const file = modelAddress(address);
  const text = await readText(file);
  const model = parseJson(text, file, modelSchema);
  try {
    compileModel(model);
  } catch (cause) {
    throw new ImageError(`${file} is not a usable model: ${explain(cause)}`, { cause });
  }
  return model;
}
