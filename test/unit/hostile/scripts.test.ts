import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { git } from "../../../components/git";
import { Secrets } from "../../../components/secrets";
import { settingFields } from "../../../config/schema";
import { parseSettings } from "../../../config/settings";
import { Nodes } from "../../../provision/nodes";
import { scriptText } from "../../../provision/remote-script";
import { byType, mockEngine, type Registered, settled } from "../components/mocks";
import { publicKey } from "../keys";
import { configs, namesOf, rawConfig } from "./configs";
import { hostileTexts, placesOf, valueAt, withText } from "./values";

const machines = configs["machines to build one from"];
const places = placesOf(settingFields, namesOf).filter(({ path }) => valueAt(machines, path) !== undefined);

/** A string of a kind, with the beginning that the settings require. */
const beginnings: Readonly<Record<string, string>> = {
    "nodes.0.hostKey": `${publicKey} `,
    "nodes.0.unlock.keys.0": `${publicKey} `,
    "nodes.0.unlock.hostKey": `${publicKey} `,
    "storage.passphrase": "of the data disks ",
    "k3s.source": "/srv/",
};

const known = new Map<string, ReturnType<typeof composed>>();

/** Settings with a string in every place that accepts it, and those places. */
function settingsWith(text: string): ReturnType<typeof composed> {
    const settings = known.get(text) ?? composed(text);
    known.set(text, settings);
    return settings;
}

function composed(text: string) {
    let config: object = machines;
    const carriers: string[] = [];
    for (const place of places.filter(({ part }) => part === "value")) {
        const name = place.path.join(".");
        const tried = withText(config, place, `${beginnings[name] ?? ""}${text}`) as object;
        try {
            parseSettings(rawConfig(tried));
            config = tried;
            carriers.push(name);
        } catch {
            // Rejected: see settings.test.ts.
        }
    }
    return { settings: parseSettings(rawConfig(config)), carriers };
}

async function registerNodes(text: string) {
    const { settings, carriers } = settingsWith(text);
    const { nodes = [], ssh, api, k3s, storage } = settings;
    const registered = await mockEngine();
    new Nodes("nodes", {
        nodes,
        ssh: ssh ?? { privateKey: "" },
        ...(api && { api }),
        k3s,
        ...(storage && { storage }),
    });
    await settled();
    return { settings, carriers, registered };
}

/** A value as the program wrote it, whether or not it is marked as a secret. */
function plain(value: unknown): string {
    return typeof value === "object" && value !== null && "value" in value ? plain(value.value) : String(value);
}

/** Values of variables in bash after a script's assignments, run for real in an empty folder. */
function variablesOf(script: string, ...names: string[]): Record<string, string> {
    // Every script continues with the text of lib.sh.
    const assignments = script.slice(0, script.indexOf("# shellcheck shell=bash\n"));
    const folder = mkdtempSync(join(tmpdir(), "hearth-hostile-"));
    try {
        const { stdout, stderr, status } = spawnSync("bash", ["-s"], {
            cwd: folder,
            env: { PATH: process.env["PATH"] },
            input: `${assignments}\nprintf '%s\\0' ${names.map((name) => `"$${name}"`).join(" ")}\n`,
            encoding: "utf8",
        });
        expect({ stderr, status, left: readdirSync(folder) }).toEqual({ stderr: "", status: 0, left: [] });
        return Object.fromEntries(
            stdout
                .split("\0")
                .slice(0, -1)
                .map((value, index) => [names[index] ?? "", value]),
        );
    } finally {
        rmSync(folder, { recursive: true });
    }
}

const kinds = Object.entries(hostileTexts).filter(([, text]) => text.length < 1_000 && text !== "");

test("every kind of string that the settings accept is tested for transport", () => {
    const everywhere = new Set(kinds.flatMap(([, text]) => settingsWith(text).carriers));
    for (const name of ["nodes.0.unlock.keys.0", "storage.passphrase", "k3s.source"]) {
        expect([...everywhere]).toContain(name);
    }
});

test.each(kinds)("%s reaches the variables of the scripts unchanged, and runs nothing", async (_, text) => {
    const { settings, registered } = await registerNodes(text);
    const [node] = settings.nodes ?? [];
    const remote = byType(registered, "command:remote:Command");
    const variables = (name: string, ...names: string[]) =>
        variablesOf(plain(remote[`${node?.name}-${name}`]?.["stdin"]), ...names);

    expect(variables("k3s-binary", "node", "source")).toMatchObject({ node: node?.name, source: settings.k3s.source });
    expect(variables("storage", "passphrase")).toMatchObject({ passphrase: settings.storage?.passphrase });
    expect(variables("unlock", "keys")).toMatchObject({ keys: node?.unlock?.keys.join("\n") });
    for (const inputs of Object.values(remote)) {
        const connection = Object(inputs["connection"]);
        const { privateKey, hostKey } = connection.value ?? connection;
        expect([plain(privateKey), hostKey]).toEqual([settings.ssh?.privateKey, node?.hostKey]);
        // Input that a shell on the node reads is not user-specific.
        expect(String(inputs["create"]).replaceAll(/\d+/g, "N")).toBe(
            'if [ "$(id -u)" = N ]; then timeout --kill-after=N N bash -s create; ' +
                "else sudo -n timeout --kill-after=N N bash -s create; fi; code=$?; case $code in N | N) echo 'not done " +
                'within N minutes, and stopped: see "ps -ef" there, and rerun "pulumi up"\' >&N ;; esac; exit $code',
        );
    }
    const [preflight] = Object.values(byType(registered, "command:local:Command"));
    expect(preflight?.["create"]).toBe("exec node dist/preflight.cjs");
    expect(JSON.parse(plain(preflight?.["stdin"]))).toMatchObject({ ssh: settings.ssh });
});

test.each(kinds.filter(([, text]) => !text.includes("\0")))(
    "%s survives the quoting of a script's input",
    (_, text) => {
        // A lone half of a character has no bytes in UTF-8.
        const api = Buffer.from(text).toString();
        expect(variablesOf(scriptText("credentials", { api, node: "n1" }), "api", "node")).toEqual({ api, node: "n1" });
    },
);

/** Values of a Secret by key. */
function secretData(registered: readonly Registered[], name: string): Record<string, string> {
    const data = byType(registered, "kubernetes:core/v1:Secret")[name]?.["data"];
    const values: object =
        typeof data === "object" && data !== null && "value" in data ? Object(data.value) : Object(data);
    return Object.fromEntries(
        Object.entries(values).map(([key, value]) => [key, Buffer.from(plain(value), "base64").toString()]),
    );
}

test("any secret reaches its Kubernetes Secret unchanged", async () => {
    const carried = kinds.filter(([, text]) => settingsWith(text).carriers.includes("secrets.vaultwarden.admin-token"));
    expect(carried.length).toBeGreaterThan(kinds.length - 4);
    const given = Object.fromEntries(carried.map(([, text], index) => [`key-${index}`, text]));
    const registered = await mockEngine();
    new Secrets("secrets", {
        declarations: {
            vaultwarden: Object.fromEntries(
                Object.keys(given).map((key) => [key, { description: "x", required: true as const }]),
            ),
        },
        given: { vaultwarden: given },
        rotations: {},
        namespaces: {},
    });
    await settled();
    expect(secretData(registered, "vaultwarden")).toEqual(given);
});

test("any password reaches the Git server unchanged, and not as an argument", async () => {
    const carried = kinds
        .map(([, text]) => text)
        .filter((text) => settingsWith(text).carriers.includes("gitea.password"));
    expect(carried.length).toBeGreaterThan(10);
    const received: string[] = [];
    const server = createServer(({ headers: { authorization } }, response) => {
        if (authorization !== undefined) {
            received.push(Buffer.from(authorization.replace("Basic ", ""), "base64").toString());
        }
        response.writeHead(authorization === undefined ? 401 : 404, { "www-authenticate": 'Basic realm="x"' }).end();
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    try {
        const { port } = server.address() as AddressInfo;
        for (const password of carried) {
            await expect(
                git(["ls-remote", `http://127.0.0.1:${port}/home/hearth.git`], { name: "hearth", password }),
            ).rejects.toThrow(/not found/);
        }
        expect([...new Set(received)]).toEqual(carried.map((password) => `hearth:${password}`));
    } finally {
        await new Promise((closed) => server.close(closed));
    }
});

test("Git accepts every branch that the settings accept, and the settings reject those that Git rejects", () => {
    const names = ["main", "feature/x.y", "release-1.2", "a+b", "x.lock", "a..b", "a//b", "-x", "x/", "a b", "@", ".x"];
    for (const name of [...names, ...kinds.map(([, text]) => text).filter((text) => !text.includes("\0"))]) {
        const config = withText(machines, { path: ["repository", "revision"], part: "value" }, name) as object;
        let accepted = true;
        try {
            parseSettings(rawConfig(config));
        } catch {
            accepted = false;
        }
        if (accepted) {
            expect(execFileSync("git", ["check-ref-format", "--branch", name], { encoding: "utf8" })).toBe(`${name}\n`);
        } else {
            expect(["main", "feature/x.y", "release-1.2", "a+b"]).not.toContain(name);
        }
    }
});
