/** YAML, loaded when it is first needed: a bundle keeps a CommonJS package's names only in a module of ours. */
export { parseAllDocuments } from "yaml";
