/** Machines and accelerators: validated as Vertex AI names them, and executed on this machine's CPU. */

const acceleratorTypes = new Set([
  "NVIDIA_TESLA_K80",
  "NVIDIA_TESLA_P100",
  "NVIDIA_TESLA_V100",
  "NVIDIA_TESLA_P4",
  "NVIDIA_TESLA_T4",
  "NVIDIA_TESLA_A100",
  "NVIDIA_A100_80GB",
  "NVIDIA_L4",
  "NVIDIA_H100_80GB",
  "NVIDIA_H100_MEGA_80GB",
  "NVIDIA_H200_141GB",
  "NVIDIA_B200",
  "NVIDIA_GB200",
  "NVIDIA_RTX_PRO_6000",
  "TPU_V2",
  "TPU_V3",
  "TPU_V4_POD",
  "TPU_V5_LITEPOD",
]);

/** Whether Vertex AI knows this accelerator; compiled pipelines write the name in either case. */
export const isAccelerator = (type: string): boolean =>
  acceleratorTypes.has(type.toUpperCase().replaceAll("-", "_"));

/** Whether a machine type is written as Compute Engine writes them, for example `n1-standard-4`. */
export const isMachineType = (type: string): boolean =>
  /^[a-z][a-z0-9]{0,9}(-[a-z0-9]+){1,3}$/.test(type);
