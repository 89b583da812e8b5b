/** Every invariant, by when it is checked. */
import type { Invariants } from "../world.js";
import * as rest from "./at-rest.js";
import * as change from "./endpoint-changes.js";
import * as minute from "./minutes.js";
import * as transition from "./transitions.js";

/** Each exported function of the four files is one invariant; its name is what a violation shows. */
export const invariants: Invariants = { transition, change, minute, rest };
