import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { parseSettings } from "../../../config/settings";

const root = resolve(__dirname, "../../..");

test.each(["home", "sandbox"])("the program accepts Pulumi.%s.yaml", (stack) => {
    const { config } = parse(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8"));
    const values = Object.entries<unknown>(config).map(([key, value]) => [
        key.replace(/^hearth:/, ""),
        // Encrypted values differ, but have the same shape.
        typeof value === "string" ? value : JSON.stringify(value).replace(/\{"secure":("[^"]*")\}/g, "$1"),
    ]);
    expect(() =>
        parseSettings({ stack, values: Object.fromEntries(values), secretKeys: new Set(["secrets"]) }),
    ).not.toThrow();
});

test("the lockfile names no registry host", () => {
    expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toMatch(/"resolved":/);
});
