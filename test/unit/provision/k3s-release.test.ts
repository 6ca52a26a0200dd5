import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { k3sRelease } from "../../../provision/k3s-release";

const root = resolve(__dirname, "../../..");

interface CustomManager {
    readonly managerFilePatterns: readonly string[];
    readonly matchStrings: readonly string[];
    readonly versioningTemplate?: string;
}

const { customManagers } = JSON.parse(readFileSync(resolve(root, "renovate.json"), "utf8")) as {
    customManagers: readonly CustomManager[];
};

test("Renovate finds the version of k3s, and the release of each checksum", () => {
    const file = "provision/k3s-release.ts";
    const manager = customManagers.find(({ managerFilePatterns }) =>
        managerFilePatterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(file)),
    );
    const text = readFileSync(resolve(root, file), "utf8");
    const found = manager?.matchStrings.flatMap((pattern) =>
        [...text.matchAll(new RegExp(pattern, "g"))].map(({ groups }) => ({ ...groups })),
    );

    const { version, sha256 } = k3sRelease;
    expect(found).toEqual([
        { currentValue: version },
        { currentValue: version, currentDigest: sha256.x86_64 },
        { currentValue: version, currentDigest: sha256.aarch64 },
    ]);
    expect(version).toMatch(new RegExp(manager?.versioningTemplate?.replace(/^regex:/, "") ?? "nothing"));
});
