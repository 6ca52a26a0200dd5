import { SecretUsers } from "../../../components/secret-users";
import { Secrets } from "../../../components/secrets";
import { byType, mockEngine, settled } from "./mocks";

const base64 = (value: string) => Buffer.from(value).toString("base64");

/** A secret in a request to the engine. */
const secret = (value: object) => ({ "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value });

test("one Secret per chart: given, generated and shared values", async () => {
    const registered = await mockEngine();
    new Secrets("secrets", {
        declarations: {
            database: { jellyfin: { description: "x", generate: { length: 24, alphabet: "alphanumeric" } } },
            jellyfin: {
                password: { description: "x", from: { chart: "database", key: "jellyfin" } },
                token: { description: "x", required: true },
                feature: { description: "x", optional: true },
            },
        },
        given: { jellyfin: { token: "hunter2" } },
        rotations: {},
        namespaces: { database: "database", jellyfin: "media" },
    });
    await settled();

    expect(byType(registered, "random:index/randomPassword:RandomPassword")["database-jellyfin"]).toMatchObject({
        length: 24,
        special: false,
    });
    const { jellyfin, database } = byType(registered, "kubernetes:core/v1:Secret");
    expect(jellyfin?.["metadata"]).toEqual({ name: "jellyfin-secrets", namespace: "media" });
    expect(jellyfin?.["data"]).toEqual(
        secret({ password: base64("generated-database-jellyfin"), token: base64("hunter2") }),
    );
    expect(database?.["data"]).toEqual(secret({ jellyfin: base64("generated-database-jellyfin") }));
});

test("a secret without a value is rejected, not written empty", async () => {
    await mockEngine();
    const declarations = { jellyfin: { token: { description: "x", required: true as const } } };
    expect(() => new Secrets("secrets", { declarations, given: {}, rotations: {}, namespaces: {} })).toThrow(
        /no value for secret jellyfin\.token/,
    );
});

test("a rotated secret is regenerated, and no other", async () => {
    const registered = await mockEngine();
    const generate = { length: 24, alphabet: "alphanumeric" as const };
    new Secrets("secrets", {
        declarations: { app: { token: { description: "x", generate }, salt: { description: "x", generate } } },
        given: {},
        rotations: { app: { token: "2026-11-23" } },
        namespaces: { app: "app" },
    });
    await settled();

    const generated = byType(registered, "random:index/randomPassword:RandomPassword");
    expect(generated["app-token"]?.["keepers"]).toEqual({ rotation: "2026-11-23" });
    expect(generated["app-salt"]?.["keepers"]).toBeUndefined();
});

test("the restart of consumers follows each Secret, after those whose values it includes", async () => {
    const registered = await mockEngine();
    const password = { description: "x", generate: { length: 24, alphabet: "alphanumeric" as const } };
    const { written } = new Secrets("secrets", {
        declarations: {
            app: { password: { description: "x", from: { chart: "database", key: "app" } } },
            database: { app: password },
        },
        given: {},
        rotations: {},
        namespaces: { app: "app", database: "database" },
    });
    new SecretUsers("secret-users", { secrets: written, kubeconfig: "/dev/null" });
    await settled();

    const { stdin } = byType(registered, "command:local:Command")["secret-users"] ?? {};
    expect(stdin).toEqual(secret(expect.any(String)));
    expect(JSON.parse((stdin as { value: string }).value)).toMatchObject({
        kubeconfig: "/dev/null",
        secrets: [
            { namespace: "database", name: "database-secrets" },
            { namespace: "app", name: "app-secrets" },
        ],
    });
});
