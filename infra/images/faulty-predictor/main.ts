/** The faulty predictor image: the predictor with delays and errors to order, for tests of a rollback. */
import { runImage } from "../arguments.js";
import { serve } from "../predictor/serve.js";
import { faultsConfig } from "./config.js";
import { faultInjector } from "./faults.js";

await runImage("faulty-predictor", async () => {
  await serve(faultInjector(faultsConfig()));
});
