import { resolve } from "node:path";

/** Folder of this repository. lib/ and dist/, which holds the compiled programs, are both one level below it. */
export const root = resolve(__dirname, "..");
