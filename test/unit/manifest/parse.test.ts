import { describe, expect, test } from "vitest";
import { parseManifest, parseManifests, problemText } from "../../../shared/manifest/parse.js";
import { exampleManifest } from "./example.js";

const problems = (text: string): readonly string[] => {
  const parsed = parseManifest(text);
  return parsed.ok ? [] : parsed.problems.map((problem) => problemText("m.yaml", problem));
};

describe("a manifest that is right", () => {
  test("is read with every default filled in", () => {
    const parsed = parseManifest(exampleManifest);
    expect(parsed).toMatchObject({
      ok: true,
      manifest: { name: "flight-delay", mode: "active", rollout: { analysis: { alpha: 0.05 } } },
    });
  });

  test("may be JSON", () => {
    const first = parseManifest(exampleManifest);
    if (!first.ok) throw new Error("the example must be right");
    expect(parseManifest(JSON.stringify(first.manifest))).toEqual(first);
  });

  test("may stand beside others in one file", () => {
    const text = `${exampleManifest}---\n${exampleManifest.replace("flight-delay", "other")}---\n`;
    expect(parseManifests(text).map(({ ok }) => ok)).toEqual([true, true]);
    expect(problems(text)[0]).toContain("several manifests");
  });
});

describe("a manifest that is wrong names the line and says what was meant", () => {
  const cases: readonly (readonly [string, (text: string) => string, string])[] = [
    [
      "an unknown field",
      (text) => text.replace("bakeSeconds", "bakeSecond"),
      'm.yaml:22:3 rollout.bakeSecond: unknown field "bakeSecond"; did you mean "bakeSeconds"?',
    ],
    [
      "an unknown field of a list's element",
      (text) => text.replace("{ name: distance, type", "{ name: distance, kind"),
      'm.yaml:11:25 dataset.features[0].kind: unknown field "kind"; known here: name, type',
    ],
    [
      "an unknown field at the top",
      (text) => `${text}trigers: {}\n`,
      'm.yaml:23:1 trigers: unknown field "trigers"; did you mean "triggers"?',
    ],
    [
      "more than one live run",
      (text) => text.replace("triggers:\n", "triggers:\n  concurrentRunsMax: 2\n"),
      "m.yaml:14:22 triggers.concurrentRunsMax: must be 1: each run is scored against the champion that it would replace, so the next one waits for it; to train side by side, apply a second manifest under another name",
    ],
    [
      "spot machines",
      (text) => `${text}training: { machine: { spot: true } }\n`,
      "training.machine.spot: spot machines need a CustomJob: give training.template a pipeline whose task runs the launcher image with jobSpec.scheduling.strategy SPOT, and leave spot out",
    ],
    [
      "a timer that never comes due",
      (text) => text.replace("0 6 * * 1", "0 6 31 2 *").replace("Rome }", "Rome, backend: timer }"),
      'm.yaml:15:29 triggers.schedules[0].cron: "0 6 31 2 *" never comes due',
    ],
    [
      "a timer in a cron dialect that only Cloud Scheduler may know",
      (text) => text.replace("0 6 * * 1", "0 6 L * *").replace("Rome }", "Rome, backend: timer }"),
      'm.yaml:15:29 triggers.schedules[0].cron: day "L" is none: use *, a value, a range, a list or a step',
    ],
    [
      "a missing field",
      (text) => text.replace("  label: is_late\n", ""),
      "m.yaml:5:1 dataset.label: is missing; expected string",
    ],
    [
      "a missing word",
      (text) => text.replace(", type: numeric", ""),
      "m.yaml:11:7 dataset.features[0].type: is missing; must be one of numeric, categorical",
    ],
    [
      "a value of the wrong type",
      (text) => text.replace("bakeSeconds: 60", "bakeSeconds: soon"),
      "m.yaml:22:16 rollout.bakeSeconds: expected number, received string",
    ],
    [
      "a value out of range",
      (text) => text.replace("[1, 10, 100]", "[1, 10, 90]"),
      "m.yaml:21:3 rollout.steps: the last step must be 100",
    ],
    [
      "one of several words",
      (text) => text.replace("type: numeric", "type: number"),
      "m.yaml:11:31 dataset.features[0].type: must be one of numeric, categorical",
    ],
    [
      "a cron that never comes due",
      (text) => text.replace("0 6 * * 1", "0 6 30 2 *"),
      'm.yaml:15:29 triggers.schedules[0].cron: "0 6 30 2 *": never comes due',
    ],
    [
      "a time zone that does not exist",
      (text) => text.replace("Europe/Rome", "Europe/Atlantis"),
      'm.yaml:15:52 triggers.schedules[0].timeZone: "Europe/Atlantis" is no IANA time zone',
    ],
    [
      "a freeze window that ends before it begins",
      (text) =>
        `${text}freezeWindows:\n  - { name: aa, from: 2026-12-24T00:00, to: 2026-12-20T00:00 }\n`,
      'freezeWindows[0].to: "2026-12-20T00:00" is not after from, "2026-12-24T00:00"',
    ],
    [
      "a freeze window with two kinds of ends",
      (text) => `${text}freezeWindows:\n  - { name: aa, from: fri 16:00, to: "08:00" }\n`,
      'freezeWindows[0].to: "08:00" must have the form of from, "fri 16:00"',
    ],
    [
      "a freeze window on a day that no calendar has",
      (text) =>
        `${text}freezeWindows:\n  - { name: aa, from: 2026-02-30T00:00, to: 2026-03-04T00:00 }\n`,
      'freezeWindows[0].from: "2026-02-30T00:00" is not in the calendar',
    ],
    [
      "a freeze window in words",
      (text) => `${text}freezeWindows:\n  - { name: aa, from: Friday, to: Monday }\n`,
      "freezeWindows[0].from: must be a weekday and a time",
    ],
    [
      "an endpoint used twice",
      (text) => text.replace("endpoint: flight-delay-qa", "endpoint: flight-delay"),
      'm.yaml:19:37 promotion.environments[1].endpoint: "flight-delay" is used twice; each must be unique',
    ],
    [
      "the label among the features",
      (text) => text.replace("{ name: origin", "{ name: is_late"),
      'm.yaml:12:15 dataset.features[1].name: "is_late" is the label; a model must not be given what it predicts',
    ],
    [
      "a tab",
      (text) => text.replace("  label", "\tlabel"),
      "m.yaml:8:1 a tab cannot indent YAML; use spaces",
    ],
    [
      "a key written twice",
      (text) => `${text}name: again\n`,
      'm.yaml:23:1 "name" is given twice here; keep one of them',
    ],
  ];
  test.each(cases)("%s", (_, spoil, expected) => {
    expect(problems(spoil(exampleManifest)).join("\n")).toContain(expected);
  });

  test("an empty file", () => {
    expect(problems("# nothing\n")[0]).toContain("is empty");
  });

  test("a file that is no mapping", () => {
    expect(problems("- a\n- b\n")[0]).toContain("m.yaml:1:1 is no manifest: it must be fields");
  });

  test("aliases that unfold without end", () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) =>
        `l${level}: &l${level} [${level === 0 ? "x" : `*l${level - 1}, *l${level - 1}`}]`,
    );
    expect(problems(levels.join("\n"))[0]).toContain("Excessive alias count");
  });

  test("a file of a megabyte", () => {
    expect(problems("a".repeat(1_000_000))[0]).toContain("is larger than 256 kB");
  });

  test("a field named after JavaScript's own machinery", () => {
    expect(problems(`${exampleManifest}__proto__: { isAdmin: true }\n`)[0]).toContain(
      'unknown field "__proto__"',
    );
  });
});
