import { linesOf, listSecrets } from "../../../hack/secret-list";

const declarations = {
    database: { "app-password": { description: "x", generate: { length: 24, alphabet: "alphanumeric" as const } } },
    app: {
        "database-password": { description: "x", from: { chart: "database", key: "app-password" } },
        token: { description: "x", required: true as const },
        extra: { description: "x", optional: true as const },
        salt: { description: "x", generate: { length: 24, alphabet: "hex" as const } },
    },
};

test("shows each secret's source, and its line in the stack's file", () => {
    const rows = listSecrets(declarations, {
        secrets: { app: { token: { secure: "v1:…" } } },
        rotations: { app: { salt: "2026-11-23" } },
    });

    expect(rows.map(({ chart, key, from, optional, path }) => [`${chart}.${key}`, from, optional, path?.[0]])).toEqual([
        ["database.app-password", "generated", false, undefined],
        ["app.database-password", "database.app-password", false, undefined],
        ["app.token", "config", false, "hearth:secrets"],
        ["app.extra", "missing", true, undefined],
        ["app.salt", "generated", false, "hearth:rotations"],
    ]);
});

test("a generated secret with a value in the config counts as given", () => {
    const [row] = listSecrets(declarations, { secrets: { database: { "app-password": { secure: "v1:…" } } } });

    expect(row).toMatchObject({ key: "app-password", from: "config" });
});

test("finds the line of each value in a stack's file", () => {
    const text = [
        "# a comment",
        "config:",
        "  hearth:secrets:",
        "    app:",
        "      token:",
        "        secure: v1:x",
        "",
    ];
    const lines = linesOf(text.join("\n"));

    expect(lines.get("hearth:secrets\napp\ntoken")).toBe(5);
    expect(lines.get("hearth:secrets\napp\nsalt")).toBeUndefined();
});
