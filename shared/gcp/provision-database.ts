/** The documents that go by themselves; indexes are made by Terraform alone, because no local database needs one. */
import { z } from "zod";
import { baseUrl, type GcpConfig } from "./config.js";
import { database } from "./database.js";
import { attempting } from "./errors.js";
import { restClient } from "./rest.js";
import type { Changes } from "./topology.js";

const found = z.looseObject({ ttlConfig: z.looseObject({}).optional() });

/** Switches the time to live on for every collection that expires. */
export const provisionDatabase = (config: GcpConfig): Promise<Changes> =>
  attempting("provision the database", async () => {
    const rest = restClient(config);
    const groups = `${baseUrl(config, "firestore")}/v1/projects/${config.projectId}/databases/(default)/collectionGroups`;
    const changes = Object.entries(database.expiring).map(
      async ([collection, field]): Promise<Changes> => {
        const url = `${groups}/${collection}/fields/${field}`;
        const { ttlConfig } = found.parse(await rest.json({ method: "GET", url }));
        if (ttlConfig !== undefined) return [];
        await rest.call({
          method: "PATCH",
          url,
          query: { updateMask: "ttlConfig" },
          body: { ttlConfig: {} },
        });
        return [`documents of ${collection} expire by ${field}`];
      },
    );
    return (await Promise.all(changes)).flat();
  });
