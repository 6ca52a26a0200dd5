/** Compiles the programs that tests start, before any test. */
module.exports = () => require("../toolchain/compile.cjs").compile();
