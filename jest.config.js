/** @returns {import("jest").Config} one suite: the tests in test/<name>. Types are checked by `npm run typecheck`. */
const suite = (name) => ({
    displayName: name,
    rootDir: __dirname,
    testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
    testEnvironment: "node",
    globalSetup: `${__dirname}/test/compile.cjs`,
    setupFilesAfterEnv: [`${__dirname}/test/ended-with.ts`],
    transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
    // Loaded by Pulumi's SDK to serialize functions, which nothing here does: 3 of the unit tests' 50 processor seconds.
    moduleNameMapper: { "/typescript-shim$": `${__dirname}/test/empty-module.cjs` },
    modulePathIgnorePatterns: ["<rootDir>/.sandbox", "<rootDir>/.state", "<rootDir>/dist"],
});

/** @type {import("jest").Config} */
// Many tests start programs, on machines that may be busy: Jest's own limit of 5 s is for functions.
module.exports = {
    testTimeout: 60_000,
    testSequencer: `${__dirname}/test/sequencer.cjs`,
    reporters: ["default", `${__dirname}/test/count-reporter.cjs`],
    projects: [
        ...["unit", "charts", "plugins", "sandbox"],
        ...["backup", "docs", "faults", "monitoring", "pods", "programs", "provision", "workflows"],
    ].map(suite),
};
