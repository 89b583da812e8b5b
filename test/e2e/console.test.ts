import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { promptManifest, startContinuo, type RunningInstance } from "./running.js";

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);
if (chromium === undefined) {
  process.stderr.write("skipped: the browser test of the console needs chromium in /usr/bin\n");
}

describe.skipIf(chromium === undefined)("the console in a browser", () => {
  let up: RunningInstance | undefined;
  let browser: Browser | undefined;
  const problems: string[] = [];

  const instance = (): RunningInstance => {
    if (up === undefined) throw new Error("nothing was started");
    return up;
  };

  const open = async (options: {
    readonly width: number;
    readonly colorScheme?: "light" | "dark";
  }): Promise<Page> => {
    const { width, colorScheme = "light" } = options;
    const context = await browser?.newContext({ viewport: { width, height: 800 }, colorScheme });
    if (context === undefined) throw new Error("no browser");
    const page = await context.newPage();
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    await page.goto(instance().instance().console);
    await page.getByText("live", { exact: true }).waitFor();
    return page;
  };

  beforeAll(async () => {
    up = await startContinuo();
    const file = join(up.folder, "model.yaml");
    writeFileSync(file, promptManifest);
    const ended = await up.continuo("apply", "-f", file);
    if (ended.code !== 0) throw new Error(ended.err);
    const { chromium: engine } = await import("playwright-core");
    browser = await engine.launch({
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      args: ["--no-sandbox"],
    });
  });

  afterAll(async () => {
    await browser?.close();
    await up?.stop();
  });

  it("opens from the printed address, and the key leaves the address bar", async () => {
    const page = await open({ width: 1200 });
    expect(page.url()).not.toContain("token");
    await page.getByRole("link", { name: "flight-delay" }).first().waitFor();
  });

  it("shows an event and what was decided on it without a reload", async () => {
    const page = await open({ width: 1200 });
    await instance().continuo(
      "publish",
      "dataset.arrived",
      "--id",
      "seen-live",
      "-d",
      '{"dataset":"flights","uris":["gs://continuo-demo-continuo/none.parquet"],"rows":42}',
    );
    await page.getByText("dataset flights arrived (1 file, 42 rows)").first().waitFor();
    const run = page.locator("#runs").getByRole("link", { name: /^flight-delay-r/ });
    await expect.poll(() => run.count(), { timeout: 15_000 }).toBe(1);
  });

  it("pauses and resumes a model by its buttons", async () => {
    const page = await open({ width: 1200 });
    const models = page.getByRole("region", { name: "Models" });
    await models.getByRole("button", { name: "Pause" }).click();
    await models.getByRole("button", { name: "Resume" }).waitFor();
    expect((await instance().continuo("status")).out).toContain("the model is paused");
    await models.getByRole("button", { name: "Resume" }).click();
    await models.getByRole("button", { name: "Pause" }).waitFor();
  });

  it("asks for a prediction and shows the endpoint's answer, refusals included", async () => {
    const page = await open({ width: 1200 });
    await page.getByRole("link", { name: "flight-delay" }).first().click();
    await page.getByRole("button", { name: "Predict" }).click();
    await page.getByText(/status 4\d\d in/).waitFor();
    await page.getByLabel("Instances as JSON").fill("{");
    await page.getByRole("button", { name: "Predict" }).click();
    const answer = page.getByRole("status").filter({ hasText: "JSON" });
    await expect.poll(() => answer.count(), { timeout: 5000 }).toBe(1);
  });

  it.each([
    { width: 390, colorScheme: "light" },
    { width: 390, colorScheme: "dark" },
    { width: 1200, colorScheme: "dark" },
  ] as const)("fits a screen of %o", async (options) => {
    const page = await open(options);
    // As text: the types of a page's own world are not known here.
    const overflow = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(overflow).toBe(0);
  });

  it("can be walked through by keyboard, every button with a name", async () => {
    const page = await open({ width: 1200 });
    await page.keyboard.press("Tab");
    const first: unknown = await page.evaluate("document.activeElement.textContent");
    expect(first).toBe("Skip to content");
    for (const button of await page.getByRole("button").all()) {
      expect((await button.textContent())?.trim()).not.toBe("");
    }
  });

  it("met no error on any page", () => {
    expect(problems).toEqual([]);
  });
});
