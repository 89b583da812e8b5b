/** The hash chain of a model, walked on demand. */
import { modelName } from "../../../events/ids.js";
import { verifyModel } from "../chain.js";
import { ok, type Handler } from "./context.js";
import { notFound } from "./errors.js";
import { readAs } from "./read.js";

/** GET /models/:model/chain: whether its journal is what was written. A forgotten model's is walked too. */
export const getChain: Handler = async ({ ports }, _request, parameters) => {
  const model = readAs(modelName, parameters["model"], "the model's name");
  const report = await verifyModel(model, ports);
  if (report === null) {
    throw notFound(`there is no model "${model}" and never was; "continuo models" lists them`);
  }
  return ok({ model, isIntact: report.problems.length === 0, ...report });
};
