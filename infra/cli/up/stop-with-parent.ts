/** Loaded into each child process before its own code: it stops when the process that started it is gone. */
import process from "node:process";

// The pipe from the parent ends however the parent died, kill -9 included.
process.stdin.once("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.once("error", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
process.stdin.unref();
