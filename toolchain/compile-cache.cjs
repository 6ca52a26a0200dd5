/**
 * Has Node keep the machine code of the modules that it loads. Pulumi.yaml has it required before Pulumi's SDK, which is
 * most of what the program loads.
 */
const { enableCompileCache } = require("node:module");
const { join } = require("node:path");

// In this folder, where no other program writes. Node.js before 22.8 has none: compile.cjs reports it.
enableCompileCache?.(join(__dirname, "../node_modules/.cache/node"));
