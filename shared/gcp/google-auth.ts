/** Google's credentials, loaded when they are first needed: a bundle keeps a CommonJS package's names only in a module of ours. */
export { GoogleAuth } from "google-auth-library";
