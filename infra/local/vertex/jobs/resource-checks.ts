/** Checks of machines, environment and unsupported fields that the jobs share. */
import { RpcError } from "../../protocol/service.js";
import { isAccelerator, isMachineType } from "./machines.js";

/** google.cloud.aiplatform.v1.MachineSpec. */
export interface MachineSpec {
  readonly machineType?: string;
  readonly acceleratorType?: string;
  readonly acceleratorCount?: number;
}

/** google.cloud.aiplatform.v1.EnvVar. */
export interface EnvVar {
  readonly name?: string;
  readonly value?: string;
}

const displayNameCharsMax = 128;
const variablesMax = 100;

/** An INVALID_ARGUMENT error. */
export const invalid = (message: string): RpcError => new RpcError("INVALID_ARGUMENT", message);

/** Refuses fields that are set and not implemented. */
export const refuseFields = (at: string, fields: Readonly<Record<string, unknown>>): void => {
  for (const [field, value] of Object.entries(fields)) {
    const isUnset =
      value === undefined ||
      value === null ||
      value === false ||
      value === "" ||
      (Array.isArray(value) && value.length === 0);
    if (!isUnset) {
      throw new RpcError("UNIMPLEMENTED", `${at}.${field} is not implemented here: leave it out.`);
    }
  }
};

/** Returns the display name, which every job needs. */
export const checkDisplayName = (name: string | undefined): string => {
  if (name === undefined || name === "" || name.length > displayNameCharsMax) {
    throw invalid(
      `The display name "${name ?? ""}" must have 1 to ${displayNameCharsMax} characters.`,
    );
  }
  return name;
};

/** Checks a machine as Vertex AI would; it is recorded, and the work is executed on this machine's CPU. */
export const checkMachine = (at: string, machine: MachineSpec | undefined): void => {
  const type = machine?.machineType ?? "";
  if (!isMachineType(type)) {
    throw invalid(`${at}.machineSpec.machineType is "${type}": give one such as n1-standard-4.`);
  }
  const accelerator = machine?.acceleratorType ?? "ACCELERATOR_TYPE_UNSPECIFIED";
  const count = machine?.acceleratorCount ?? 0;
  if (accelerator === "ACCELERATOR_TYPE_UNSPECIFIED") {
    if (count > 0)
      throw invalid(`${at}.machineSpec has ${count} accelerators and no acceleratorType.`);
    return;
  }
  if (!isAccelerator(accelerator)) {
    throw invalid(`${at}.machineSpec.acceleratorType "${accelerator}" is not one of Vertex AI's.`);
  }
  if (count < 1) throw invalid(`${at}.machineSpec.acceleratorCount must be at least 1.`);
};

/** What the log says about a machine. */
export const machineLine = (machine: MachineSpec | undefined): string => {
  const count = machine?.acceleratorCount ?? 0;
  const accelerators = count > 0 ? ` with ${count} x ${machine?.acceleratorType ?? ""}` : "";
  return `machine ${machine?.machineType ?? "unspecified"}${accelerators} was asked for; executed on CPU`;
};

/** Reads environment variables, at most 100. */
export const environmentOf = (
  at: string,
  variables: readonly EnvVar[] | undefined,
): Readonly<Record<string, string>> => {
  const given = variables ?? [];
  if (given.length > variablesMax)
    throw invalid(`${at}.env has more than ${variablesMax} variables.`);
  for (const { name } of given) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name ?? "")) {
      throw invalid(
        `${at}.env has a variable called "${name ?? ""}", which is not a C identifier.`,
      );
    }
  }
  return Object.fromEntries(given.map(({ name, value }) => [name ?? "", value ?? ""]));
};

/** Checks a gs:// directory and returns it without slashes at its end. */
export const checkGcsDirectory = (at: string, uri: string | undefined): string => {
  if (!/^gs:\/\/[^/]+(\/.*)?$/.test(uri ?? "")) {
    throw invalid(`${at} is "${uri ?? ""}": give a gs://bucket/directory.`);
  }
  return (uri ?? "").replace(/\/+$/, "");
};
