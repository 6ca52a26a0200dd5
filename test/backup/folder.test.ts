import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupServer } from "../../components/backup-server";
import { freePort } from "../../lib/ports";
import { tool } from "../../toolchain/tools";
import type { Model } from "../charts/manifest";
import { Program } from "../programs/program";
import { byType, mockEngine, settled } from "../unit/components/mocks";
import { Volume } from "./volume";

// restic derives a key in each call, which takes a busy machine seconds.
jest.setTimeout(300_000);

/** Folder that the NAS exports. */
const folder = mkdtempSync(join(tmpdir(), "hearth-folder-"));
const secret = mkdtempSync(join(tmpdir(), "hearth-target-"));
let server: Program;

/** The command of the server's container. */
async function serverCommand(): Promise<string[]> {
    const registered = await mockEngine();
    const target = { name: "main" as const, target: "nfs://nas.example.com/copies" };
    new BackupServer("server", { target, image: { repository: "rest-server", tag: "1" }, resources: {} });
    await settled();
    const { server: deployment } = byType(registered, "kubernetes:apps/v1:Deployment");
    const { spec } = deployment as unknown as Model<"V1Deployment">;
    return spec?.template.spec?.containers[0]?.command ?? [];
}

beforeAll(async () => {
    const port = await freePort();
    const [, ...args] = await serverCommand();
    const here = args.map((each) => each.replace("/data", folder).replace(/:\d+$/, `127.0.0.1:${port}`));
    server = new Program(tool("rest-server"), here);
    await server.until(async () => server.output.includes("start server on"));
    writeFileSync(join(secret, "password"), "of the home");
    writeFileSync(join(secret, "main.repository"), `rest:http://127.0.0.1:${port}/`);
});

afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
    rmSync(secret, { recursive: true });
});

test("copies in a folder of a NAS are restored, and restic alone reads them in that folder", async () => {
    const notes = new Volume(secret);
    notes.write("notes.md", "milk");
    await notes.run("repository");
    expect((await notes.backup()).result).toMatchObject({ ok: true });

    const fresh = notes.replacement();
    expect((await fresh.run("prepare")).code).toBe(0);
    expect(fresh.content()).toEqual(notes.content());

    // As in the emergency kit.
    const restored = join(notes.directory, "restored");
    mkdirSync(restored);
    const { code, output } = await notes.command(
        [
            ...[notes.restic, "restore", "latest:/files", "--host", "home.example.com", "--tag", "notes/notes-data"],
            ...["--target", restored],
        ],
        { RESTIC_REPOSITORY: folder, RESTIC_PASSWORD_FILE: join(secret, "password") },
    );
    expect([code, output]).toEqual([0, output]);
    expect(notes.content(restored)).toEqual(notes.content());
    notes.remove();
    fresh.remove();
});
