/** What every image reads from its environment, once. */
import { env } from "node:process";
import { z } from "zod";

const environment = z.object({
  /** Address of a local Cloud Storage, for example http://127.0.0.1:9199; absent on Google Cloud. */
  STORAGE_EMULATOR_HOST: z.string().min(1).optional(),
  /** Folder where Vertex AI mounts the buckets. */
  GCS_MOUNT: z.string().default("/gcs"),
});

/** Settings that all images share. */
export interface ImageConfig {
  readonly storageHost: string | undefined;
  readonly mount: string;
}

/** Reads the shared settings; call it once per process. */
export function imageConfig(): ImageConfig {
  const values = environment.parse(env);
  return { storageHost: values.STORAGE_EMULATOR_HOST, mount: values.GCS_MOUNT };
}
