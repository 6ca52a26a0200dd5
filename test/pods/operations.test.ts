import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../sandbox/home";
import { domain } from "./applications";
import { printed } from "./pods";
import { ServicesHome } from "./services";

// Milliseconds for a whole home on a busy host.
jest.setTimeout(2_400_000);

let home: ServicesHome;

beforeAll(async () => {
    home = await ServicesHome.create();
    await printed(home.cluster.stack.up());
});

afterAll(async () => {
    await home?.remove();
});

test("a push to the SSH address that Gitea shows reaches a running pod", async () => {
    const person = await home.administrator();
    const gitea = `https://git.${domain}/api/v1`;
    const key = JSON.stringify({ title: "laptop", key: await person.makeKey() });
    await person.page(`${gitea}/user/keys`, "--json", key);
    const { ssh_url: url } = JSON.parse(await person.page(`${gitea}/repos/home/hearth`));
    expect(url).toBe(`git@git.${domain}:home/hearth.git`);
    const change = (text: string) => text.replace("title: Services", "title: By SSH");
    await home.push("charts/glance/config/glance.yml", change, "feat: another title", url);
    await until("the page has the new title", 300_000, async () => (await home.startPage()).includes("By SSH"));
});

test("`hack/template --diff` shows uncommitted changes and applies none", async () => {
    const { folder } = home.cluster.stack;
    const file = join(folder, "charts/gatus/values.yaml");
    const committed = readFileSync(file, "utf8");
    const template = (...args: string[]) => printed(home.cluster.stack.hack("template", "gatus", ...args));
    expect(await template("--diff")).toBe("");
    expect(await template("--diff", "main")).toBe("");

    const memory = /(limits: \{ memory: )\w+/;
    expect(committed).toMatch(memory);
    writeFileSync(file, committed.replace(memory, "$1321Mi"));
    for (const difference of [await template("--diff"), await template("--diff", "main")]) {
        expect(difference.split("\n").filter((line) => /^[-+] (?!.*generation:)/.test(line))).toEqual([
            expect.stringMatching(/^- +memory: "?\d+Mi"?$/),
            expect.stringMatching(/^\+ +memory: "?321Mi"?$/),
        ]);
    }
    writeFileSync(file, committed);
    expect(await template("--diff")).toBe("");
});

test("AdGuard Home keeps its users' rewrites through `hack/uninstall` and `hack/install`", async () => {
    const person = await home.person();
    const host = `adguard.${domain}`;
    const answer = "10.77.0.50";
    person.logIn(host, "admin", await home.secret("adguard", "adguard-secrets", "admin-password"));
    const rewrite = JSON.stringify({ domain: "printer.lan", answer });
    await person.page(`https://${host}/control/rewrite/add`, "--json", rewrite);
    const asked = async () => (await person.run("dig", ["+short", "+time=2", "+tries=1", "printer.lan"])).output.trim();
    await until("the name is resolved", 30_000, async () => (await asked()) === answer);

    await printed(home.cluster.stack.hack("uninstall", "adguard", "--yes"));
    expect(await asked()).not.toBe(answer);
    await printed(home.cluster.stack.hack("install", "adguard"));
    await until("the name is resolved again", 120_000, async () => (await asked()) === answer);
    await home.isReady();
});
