import type { Config } from "jest";

const project = (displayName: string) => ({
    displayName,
    rootDir: __dirname,
    testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
    testEnvironment: "node",
    transform: { "^.+\\.ts$": ["ts-jest", { diagnostics: false, isolatedModules: true }] as [string, object] },
    modulePathIgnorePatterns: ["<rootDir>/.sandbox", "<rootDir>/.state"],
});

/** `npm test` runs every project; `jest --selectProjects unit` one of them. Types are checked by `npm run typecheck`. */
const config: Config = {
    projects: [project("unit"), project("charts"), project("plugins"), project("sandbox")],
};

export default config;
