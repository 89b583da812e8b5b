/** What the functions' process is told. */
import process from "node:process";

/** Where an instance's parts are. */
export interface Addresses {
  readonly cloud: string;
  readonly functions: string;
}

/** The bucket of artifacts of a project. */
export const bucketOf = (project: string): string => `${project}-continuo`;

/** The functions' environment: the same variables as on Google Cloud, with a local cloud in their place. */
export const functionsEnvironment = (
  { project, region }: { readonly project: string; readonly region: string },
  { cloud, functions }: Addresses,
  token: string,
): Readonly<Record<string, string | undefined>> => ({
  ...process.env,
  NODE_ENV: "production",
  CONTINUO_PROJECT: project,
  CONTINUO_REGION: region,
  CONTINUO_BUCKET: bucketOf(project),
  CONTINUO_IDENTITY: `continuo@${project}.iam.gserviceaccount.com`,
  CONTINUO_PUSH_AUDIENCE: functions,
  CONTINUO_PUSH_IDENTITY: `push@${project}.iam.gserviceaccount.com`,
  CONTINUO_JWKS_URL: `${cloud}/oauth2/v3/certs`,
  CONTINUO_LOCAL_CLOUD: cloud,
  CONTINUO_API_TOKEN: token,
  CONTINUO_CONSOLE_URL: `${functions}/console/`,
});
