/** A local cloud with Firestore in a process of its own, for tests that kill it: prints its port. */
import { withLocalCloud } from "./local-cloud.js";

const [folder] = process.argv.slice(2);
const cloud = await withLocalCloud(["firestore"], folder === undefined ? {} : { folder });
process.stdout.write(`${cloud.port}\n`);
