/**
 * The framework runs every request in one of Node's domains, and the first of them puts hooks on every promise of the
 * process for good: a third of the processor time of an event (`npm run bench -- events`). A domain would catch what is
 * thrown outside a handler's own promise; our handlers are all asynchronous, and the framework looks after their promises.
 */
import domain from "node:domain";

/** Makes the framework go without. */
export const withoutDomains = (): void => {
  Object.defineProperty(domain, "create", {
    value: () => ({
      on: (): void => undefined,
      run: (work: () => void): void => {
        work();
      },
    }),
  });
};
