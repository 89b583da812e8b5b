/** A machine type as the limits that a pipeline's task can ask for: Vertex AI picks the machine from them. */

/** `resources` of a container executor in a PipelineSpec (both spellings: Kubeflow's compiler writes both). */
export interface Resources {
  readonly cpuLimit?: number;
  readonly memoryLimit?: number;
  readonly resourceCpuLimit?: string;
  readonly resourceMemoryLimit?: string;
  readonly accelerator?: {
    readonly type: string;
    readonly count: string;
    readonly resourceType: string;
    readonly resourceCount: string;
  };
}

/** An accelerator of Vertex AI, for example NVIDIA_L4. */
export interface Accelerator {
  readonly type: string;
  readonly count: number;
}

/** Gigabytes per vCPU of the families' shapes. */
const gigabytesPerCpu: Readonly<Record<string, number>> = {
  "n1-standard": 3.75,
  "n1-highmem": 6.5,
  "n1-highcpu": 0.9,
  standard: 4,
  highmem: 8,
  highcpu: 1,
};

/** Limits of a predefined machine type; throws a RangeError for one whose size its name does not tell. */
export function machineResources(
  machineType: string | undefined,
  accelerator: Accelerator | undefined,
): Resources {
  const attached =
    accelerator === undefined
      ? {}
      : {
          accelerator: {
            type: accelerator.type,
            count: String(accelerator.count),
            resourceType: accelerator.type,
            resourceCount: String(accelerator.count),
          },
        };
  if (machineType === undefined) return attached;
  const match = /^([a-z0-9]+)-([a-z]+)-(\d+)$/.exec(machineType);
  const [, family = "", shape = "", cpus = ""] = match ?? [];
  const perCpu = gigabytesPerCpu[`${family}-${shape}`] ?? gigabytesPerCpu[shape];
  if (perCpu === undefined) {
    throw new RangeError(
      `machine type ${machineType}: use one whose name tells its size, for example n1-standard-4`,
    );
  }
  const memory = Number(cpus) * perCpu;
  return {
    cpuLimit: Number(cpus),
    memoryLimit: memory,
    resourceCpuLimit: cpus,
    resourceMemoryLimit: `${memory}G`,
    ...attached,
  };
}
