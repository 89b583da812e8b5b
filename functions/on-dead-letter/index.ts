/** Keeps what nobody could read, or what failed too often, until a person decides. */
import { http } from "@google-cloud/functions-framework";
import { keepDeadLetter } from "../../shared/runtime/dead-letter.js";
import { onDelivery } from "../../shared/runtime/edge.js";
import { functions } from "../manifest.js";

const topicOf = (name: string): string => {
  const trigger = functions.find((known) => known.name === name)?.trigger;
  return trigger !== undefined && "topic" in trigger ? trigger.topic : name;
};

http(
  "on-dead-letter",
  onDelivery("on-dead-letter", (delivery, ports) => keepDeadLetter(delivery, topicOf, ports)),
);
