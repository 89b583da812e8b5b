/** What is wrong with a cloudbuild.yaml, found before Cloud Build is asked. */
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";

/** One thing that is wrong, where, and what mends it. */
export interface BuildProblem {
  readonly line: number;
  readonly message: string;
  readonly fix: string;
}

/** What the file may refer to. */
export interface BuildSurroundings {
  /** Scripts of package.json. */
  readonly scripts: readonly string[];
  /** What `npm run build:cloud --` may name. */
  readonly steps: readonly string[];
  /** Whether the checkout has a file. */
  readonly hasFile: (path: string) => boolean;
}

const texts = z.array(z.string());
const seconds = z.string().regex(/^\d+(?:\.\d+)?s$/, "must be seconds, for example 3600s");

/** The fields that a person may set, of Cloud Build's v1 API; what it fills in itself is refused. */
const step = z.strictObject({
  id: z.string().min(1),
  name: z.string().min(1),
  entrypoint: z.string().optional(),
  args: texts.optional(),
  env: texts.optional(),
  secretEnv: texts.optional(),
  dir: z.string().optional(),
  waitFor: texts.optional(),
  timeout: seconds.optional(),
  script: z.string().optional(),
  volumes: z.array(z.strictObject({ name: z.string(), path: z.string() })).optional(),
  allowFailure: z.boolean().optional(),
  allowExitCodes: z.array(z.int()).optional(),
  automapSubstitutions: z.boolean().optional(),
});

const options = z.strictObject({
  machineType: z
    .enum([
      "UNSPECIFIED",
      "N1_HIGHCPU_8",
      "N1_HIGHCPU_32",
      "E2_HIGHCPU_8",
      "E2_HIGHCPU_32",
      "E2_MEDIUM",
    ])
    .optional(),
  diskSizeGb: z.int().max(4000).optional(),
  logging: z
    .enum(["LEGACY", "GCS_ONLY", "CLOUD_LOGGING_ONLY", "STACKDRIVER_ONLY", "NONE"])
    .optional(),
  logStreamingOption: z.enum(["STREAM_DEFAULT", "STREAM_ON", "STREAM_OFF"]).optional(),
  requestedVerifyOption: z.enum(["NOT_VERIFIED", "VERIFIED"]).optional(),
  sourceProvenanceHash: z.array(z.enum(["NONE", "SHA256", "MD5", "SHA512"])).optional(),
  substitutionOption: z.enum(["MUST_MATCH", "ALLOW_LOOSE"]).optional(),
  dynamicSubstitutions: z.boolean().optional(),
  automapSubstitutions: z.boolean().optional(),
  defaultLogsBucketBehavior: z.enum(["REGIONAL_USER_OWNED_BUCKET", "LEGACY_BUCKET"]).optional(),
  env: texts.optional(),
  secretEnv: texts.optional(),
  pool: z.strictObject({ name: z.string() }).optional(),
});

const build = z.strictObject({
  steps: z.array(step).min(1).max(300),
  substitutions: z
    .record(
      z.string().regex(/^_[A-Z0-9_]+$/, "must begin with _ and hold A-Z, 0-9 and _"),
      z.string().max(4000),
    )
    .default({}),
  options: options.default({}),
  timeout: seconds.optional(),
  queueTtl: seconds.optional(),
  tags: texts.optional(),
  images: texts.optional(),
  artifacts: z.record(z.string(), z.unknown()).optional(),
  logsBucket: z.string().optional(),
  serviceAccount: z.string().optional(),
  availableSecrets: z.record(z.string(), z.unknown()).optional(),
});

/** Variables that Cloud Build sets itself. */
const ownVariables: readonly string[] = [
  "PROJECT_ID",
  "PROJECT_NUMBER",
  "BUILD_ID",
  "LOCATION",
  "TRIGGER_NAME",
  "COMMIT_SHA",
  "REVISION_ID",
  "SHORT_SHA",
  "REPO_NAME",
  "REPO_FULL_NAME",
  "BRANCH_NAME",
  "TAG_NAME",
  "REF_NAME",
  "TRIGGER_BUILD_CONFIG_PATH",
  "SERVICE_ACCOUNT_EMAIL",
  "SERVICE_ACCOUNT",
  "_HEAD_BRANCH",
  "_BASE_BRANCH",
  "_HEAD_REPO_URL",
  "_PR_NUMBER",
];

/** A digest, or a tag that names a whole version or a commit: none of them moves. */
const isPinned = (image: string): boolean =>
  /@sha256:[0-9a-f]{64}$/.test(image) ||
  /:(?:v?\d+\.\d+\.\d+(?:[-.+][\w.-]+)?|[0-9a-f]{40})$/.test(image);

type Build = z.infer<typeof build>;
type Path = readonly (string | number)[];
type Told = Omit<BuildProblem, "line"> & { readonly path: Path };

const namesIn = (text: string): readonly string[] =>
  [...text.matchAll(/(?<!\$)\$(?:\{([A-Z_][A-Z0-9_]*)|([A-Z_][A-Z0-9_]*))/g)].map(
    ([, braced, bare]) => braced ?? bare ?? "",
  );

const resolved = (text: string, { substitutions }: Build): string =>
  namesIn(text).reduce(
    (now, name) =>
      now.replaceAll(new RegExp(`\\$(?:\\{${name}\\}|${name}\\b)`, "g"), substitutions[name] ?? ""),
    text,
  );

const stepProblems = ({ steps }: Build): readonly Told[] =>
  steps.flatMap(({ id, waitFor = [] }, index) => {
    const before = steps.slice(0, index).map((earlier) => earlier.id);
    return [
      ...(before.includes(id)
        ? [
            {
              path: ["steps", index, "id"],
              message: `another step is called ${id}`,
              fix: "Give each step an id of its own.",
            },
          ]
        : []),
      ...waitFor.flatMap((name, at) =>
        name === "-" || before.includes(name)
          ? []
          : [
              {
                path: ["steps", index, "waitFor", at],
                message: `${id} waits for ${name}, which is no earlier step`,
                fix: `Name one of ${before.join(", ") || '"-"'}, or move the step.`,
              },
            ],
      ),
    ];
  });

/** Each image once, where it is written: in a step, or under the substitution that the step names. */
const imageProblems = (file: Build): readonly Told[] => {
  const images = new Map(
    file.steps.map(({ name }, index): [string, Path] => {
      const substitution = /^\$\{?(_[A-Z0-9_]+)\}?$/.exec(name)?.[1];
      return [
        name,
        substitution === undefined ? ["steps", index, "name"] : ["substitutions", substitution],
      ];
    }),
  );
  return [...images].flatMap(([name, path]) =>
    isPinned(resolved(name, file))
      ? []
      : [
          {
            path,
            message: `steps run in ${resolved(name, file)}, which may be another image tomorrow`,
            fix: "Name it by digest, or by a tag that holds its whole version.",
          },
        ],
  );
};

const substitutionProblems = (file: Build): readonly Told[] => {
  const known = [...ownVariables, ...Object.keys(file.substitutions)];
  const used: readonly (readonly [Path, string])[] = [
    ...Object.entries(file.substitutions).map(
      ([name, text]) => [["substitutions", name], text] as const,
    ),
    ...file.steps.flatMap((one, index) => [
      [["steps", index, "name"], one.name] as const,
      ...(["args", "env"] as const).flatMap((field) =>
        (one[field] ?? []).map((text, at) => [["steps", index, field, at], text] as const),
      ),
      ...(one.script === undefined ? [] : [[["steps", index, "script"], one.script] as const]),
    ]),
  ];
  return used.flatMap(([path, text]) =>
    namesIn(text)
      .filter((name) => !known.includes(name))
      .map((name) => ({
        path,
        message: `$${name} is set nowhere`,
        fix: "Give it a default under substitutions; a variable of the shell is written $$NAME.",
      })),
  );
};

const commandProblems = (
  { steps }: Build,
  { scripts, steps: ours, hasFile }: BuildSurroundings,
): readonly Told[] =>
  steps.flatMap(({ id, entrypoint, args = [] }, index) => {
    const words = args.filter((word) => !word.startsWith("-"));
    const path = ["steps", index, "args"];
    if (entrypoint === "npm" && words[0] === "run") {
      const [, script = "", wanted = ""] = words;
      if (!scripts.includes(script)) {
        return [
          {
            path,
            message: `${id} runs the script ${script}, which package.json lacks`,
            fix: `Scripts: ${scripts.join(", ")}.`,
          },
        ];
      }
      if (script === "build:cloud" && !ours.includes(wanted)) {
        return [
          {
            path,
            message: `${id} asks for the step "${wanted}", which nobody knows`,
            fix: `Steps: ${ours.join(", ")}.`,
          },
        ];
      }
    }
    const file = words.find((word) => word.endsWith(".sh"));
    return file === undefined || hasFile(file)
      ? []
      : [{ path, message: `${id} runs ${file}, which is not there`, fix: "Correct the path." }];
  });

/** All that is wrong with a file; empty when nothing is. */
export const cloudBuildProblems = (
  text: string,
  surroundings: BuildSurroundings,
): readonly BuildProblem[] => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    return [{ line, message: `it is not YAML: ${broken.message}`, fix: "Correct it there." }];
  }
  const lineOf = (path: Path): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = z
        .object({ range: z.tuple([z.number()]).rest(z.number()) })
        .safeParse(document.getIn(path.slice(0, length), true));
      if (node.success) return lines.linePos(node.data.range[0]).line;
    }
    return 1;
  };
  const parsed = build.safeParse(document.toJS());
  const told: readonly Told[] = parsed.success
    ? [
        ...stepProblems(parsed.data),
        ...imageProblems(parsed.data),
        ...substitutionProblems(parsed.data),
        ...commandProblems(parsed.data, surroundings),
      ]
    : parsed.error.issues.map(({ path, message }) => ({
        path: path.map((part) => (typeof part === "number" ? part : String(part))),
        message: `${path.map(String).join(".") || "the file"}: ${message}`,
        fix: "Write it as Cloud Build's API has it.",
      }));
  return told.map(({ path, message, fix }) => ({ line: lineOf(path), message, fix }));
};
