/** A person approved or refused. */
import { http } from "@google-cloud/functions-framework";
import { cloudEvent } from "../../events/sources/cloud-event.js";
import { onEvents } from "../../shared/runtime/edge.js";

http("on-approval-given", onEvents("on-approval-given", cloudEvent("approval.given")));
