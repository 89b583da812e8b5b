/** The peer's side of the chain: five durable steps, one after another. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDK expects a newer Node.
Promise.withResolvers ??= function withResolvers() {
  let resolve;
  let reject;
  const promise = new this((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

const [folder, port, steps] = process.argv.slice(2);
const path = createRequire(`${folder}/package.json`).resolve("@restatedev/restate-sdk");
const restate = await import(pathToFileURL(path).href);

const chain = restate.service({
  name: "chain",
  handlers: {
    run: async (context, event) => {
      for (let step = 1; step <= Number(steps); step += 1) {
        await context.run(`step ${step}`, () => {
          process.send?.({ kind: "step" });
          return { step, model: event.model };
        });
      }
      return event.id;
    },
  },
});

await restate.serve({ services: [chain], port: Number(port) });
process.send?.({ kind: "ready" });
process.once("disconnect", () => process.exit(0));
