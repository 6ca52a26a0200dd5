import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { findOnPath } from "../../lib/paths";
import { freePort } from "../../lib/ports";
import { run } from "../../lib/run";
import { aptGetInstall } from "../../toolchain/apt-get";
import { ofKind } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { keyPairs } from "../key-pairs";
import { Program } from "./program";

// A browser starts, on a machine that may be busy.
jest.setTimeout(3 * 60_000);

const domain = "home.example.com";
const url = `http://ca.${domain}`;
const folder = mkdtempSync(join(tmpdir(), "hearth-ca-"));
const packages = { busybox: "busybox", chromium: "chromium", zbarimg: "zbar-tools" };
const [{ cert }] = keyPairs;
let port: number;
let server: Program;

/** Runs a browser to its end, which finds the home's names at this server. */
async function browse(...args: string[]): Promise<string> {
    const options = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${join(folder, "browser")}`];
    const { exitCode, output } = await run(
        "chromium",
        [
            ...[...options, `--host-resolver-rules=MAP ca.${domain} 127.0.0.1:${port}`, "--hide-scrollbars"],
            ...["--window-size=760,1000", "--virtual-time-budget=5000", ...args, url],
        ],
        { env: { PATH: process.env["PATH"], HOME: folder }, timeout: 120_000 },
    );
    expect([exitCode, output]).toEqual([0, output]);
    return output;
}

beforeAll(async () => {
    for (const [program, name] of Object.entries(packages)) {
        if (!findOnPath(program)) {
            await aptGetInstall(
                program,
                `The test of the page with the certificate authority needs it: install ${name}.`,
                [name],
            );
        }
    }
    const workspace = new Workspace("helm4");
    const rendered = await workspace.render("cert-manager", `--set=global.domain=${domain}`);
    workspace.remove();
    const pages = ofKind(rendered, "ConfigMap").find(({ metadata }) => metadata.name === "ca");
    const www = join(folder, "www");
    mkdirSync(www);
    for (const [name, text] of Object.entries({ ...pages?.data, "ca.crt": cert })) {
        writeFileSync(join(www, name), text);
    }
    port = await freePort();
    const [container] = ofKind(rendered, "Deployment").flatMap(({ spec }) => spec?.template.spec?.containers ?? []);
    const line = [...(container?.command ?? []), ...(container?.args ?? [])];
    server = new Program(
        "busybox",
        line.map((word) => word.replace(/^8080$/, `${port}`).replace(/^\/www/, www)),
    );
    await server.answers(`http://127.0.0.1:${port}/`);
});

afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
});

test("a phone reads the page's own address from the QR code that the browser shows", async () => {
    const picture = process.env["UPDATE_PICTURE"] ? resolve("docs/ca.png") : join(folder, "ca.png");
    await browse(`--screenshot=${picture}`);
    expect(statSync(picture).size).toBeLessThan(200_000);
    const { output } = await run("zbarimg", [
        "--nodbus",
        "--quiet",
        "--raw",
        "--set",
        "disable",
        "--set",
        "qrcode.enable",
        picture,
    ]);
    expect(output.trim()).toBe(`${url}/`);
});

test("its file is the authority, of the type that devices offer to install", async () => {
    expect(await browse("--dump-dom")).toMatch(/<a [^>]*href="ca\.crt" download="home-ca\.crt"/);
    const response = await fetch(`http://127.0.0.1:${port}/ca.crt`);
    expect([await response.text(), response.headers.get("content-type")]).toEqual([cert, "application/x-x509-ca-cert"]);
});
