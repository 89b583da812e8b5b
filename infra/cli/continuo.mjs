#!/usr/bin/env node
/** Runs the command's TypeScript from the checkout it stands in. */
import { register } from "tsx/esm/api";

register();
await import("./main.ts");
