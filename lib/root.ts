import { resolve } from "node:path";

/** Folder of this repository. lib/ and dist/, where the compiled programs are, both stand one level below it. */
export const root = resolve(__dirname, "..");
