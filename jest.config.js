/** @returns {import("jest").Config} one suite: the tests in test/<name>. Types are checked by `npm run typecheck`. */
const suite = (name) => ({
    displayName: name,
    rootDir: __dirname,
    testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
    testEnvironment: "node",
    transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false }] },
    modulePathIgnorePatterns: ["<rootDir>/.sandbox", "<rootDir>/.state"],
});

/** @type {import("jest").Config} */
module.exports = { projects: ["unit", "charts", "monitoring", "plugins", "workflows", "sandbox"].map(suite) };
