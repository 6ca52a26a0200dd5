import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodesSchema } from "../../../config/nodes";
import type { Interview } from "../../../hack/new-stack/interview";
import { askEdge, askNodes } from "../../../hack/new-stack/nodes";
import type { StackFile } from "../../../hack/new-stack/stack-file";
import { Failure } from "../../../lib/failure";
import { privateKey, publicKey } from "../keys";

let folder: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-nodes-"));
    writeFileSync(join(folder, "key"), privateKey);
});

afterEach(() => {
    rmSync(folder, { recursive: true });
});

/** Answers in turn; records the prompts, messages and stored values. */
async function answered(
    answers: readonly string[],
    { same = true, had = {} as Record<string, unknown>, ask = askNodes } = {},
) {
    const kept: Record<string, unknown> = { ...had };
    const encrypted: Record<string, string> = {};
    const shown: string[] = [];
    const rest = [...answers];
    const text: Interview["prompter"]["text"] = async ({ title, mistake }) => {
        const answer = rest.shift();
        if (answer === undefined) {
            throw new Error(`no answer for ${title}`);
        }
        const wrong = mistake?.(answer);
        if (wrong === undefined) {
            return answer;
        }
        shown.push(`${title}: ${wrong}`);
        return text({ title, explanation: "", mistake });
    };
    const confirm = async (question: string) => {
        shown.push(question);
        return same;
    };
    await ask({
        prompter: { text, secret: text, confirm, report: (line) => shown.push(line) },
        file: {
            at: (path: readonly string[]) => kept[path.join(".")],
            set: (path: readonly string[], value: unknown) => {
                kept[path.join(".")] = value;
            },
        } as unknown as StackFile,
        vault: {
            set: async (path, value) => {
                encrypted[path.join(".")] = value;
            },
        },
        settings: [],
        secrets: [],
        askHostKey: async (address) => {
            if (address.endsWith(".99")) {
                throw new Failure(`${address} does not answer with a host key`);
            }
            return { line: `${publicKey} ${address}`, fingerprint: `SHA256:of-${address}` };
        },
    });
    expect(rest).toEqual([]);
    return { kept, encrypted, shown };
}

const node = (name: string, last: number, role: string) => [name, `10.0.0.${last}`, "root", role];

test("nodes are stored in the program's form after their fingerprints are compared", async () => {
    const { kept, encrypted, shown } = await answered([
        join(folder, "key"),
        ...node("n1", 1, "server"),
        ...node("n2", 2, "agent"),
        "",
    ]);
    expect(nodesSchema.parse(kept["nodes"])).toMatchObject([
        { name: "n1", address: "10.0.0.1", user: "root", role: "server", hostKey: `${publicKey} 10.0.0.1` },
        { name: "n2", role: "agent", hostKey: `${publicKey} 10.0.0.2` },
    ]);
    expect(encrypted["ssh.privateKey"]).toBe(privateKey);
    expect(shown).toContainEqual(expect.stringMatching(/console.*ssh_host_ed25519_key.*SHA256:of-10\.0\.0\.1/));
});

test("does not prompt for a key when an SSH agent has it", async () => {
    const had = { "ssh.agent": true };
    const { kept, encrypted } = await answered([...node("n1", 1, "server"), ""], { had });
    expect(kept).toMatchObject({ ...had, nodes: [{ name: "n1" }] });
    expect(encrypted).toEqual({});
});

test("a host with another fingerprint, or none, is left out", async () => {
    const had = { "ssh.privateKey": "(secret)", nodes: [{ name: "n1", role: "server" }] };
    const another = await answered([...node("n2", 2, "agent"), ""], { same: false, had });
    expect(another.kept).toEqual(had);
    const silent = await answered([...node("n3", 99, "agent"), ""], { had });
    expect(silent.kept).toEqual(had);
    expect(silent.shown).toContainEqual("10.0.0.99 does not answer with a host key. It is left out.");
});

test("an answer that the program would reject is prompted for again, with the program's message", async () => {
    const { shown } = await answered([
        ...[join(folder, "nowhere"), join(folder, "key")],
        ...["", "Node.1", "n1", "n1.local", "10.0.0.1", "root", "master", "server", ""],
    ]);
    expect(shown).toEqual([
        expect.stringContaining("expected the path of a file with a private key"),
        expect.stringContaining("Name of the first node: expected a lower-case host name"),
        expect.stringContaining("Name of the first node: expected a lower-case host name"),
        "Address of n1: expected an IPv4 address",
        'Role of n1: expected "server" or "agent"',
        expect.stringContaining("SHA256:of-10.0.0.1"),
    ]);
});

test("several servers need an address that outlives each of them", async () => {
    const had = { "ssh.privateKey": "(secret)" };
    const servers = [1, 2, 3].flatMap((last) => node(`n${last}`, last, "server"));
    const { kept } = await answered([...servers, "", "10.0.0.9"], { had });
    expect(kept).toMatchObject({ "api.address": "10.0.0.9", "api.virtual": true });
    const named = await answered([...servers, "", "api.home.arpa"], { had });
    expect(named.kept).toMatchObject({ "api.address": "api.home.arpa", "api.virtual": false });
});

describe("access from the Internet", () => {
    test("nothing is stored for a home whose router forwards ports, or that is not reachable from outside", async () => {
        expect((await answered([""], { ask: askEdge })).kept).toEqual({});
    });

    test("an edge is stored with its host key after the user has compared it", async () => {
        const { kept, shown } = await answered(["not a host", "203.0.113.10", "root"], { ask: askEdge });
        expect(kept["edge"]).toEqual({
            ...{ address: "203.0.113.10", user: "root" },
            hostKey: `${publicKey} 203.0.113.10`,
        });
        expect(shown).toContainEqual(expect.stringContaining("SHA256:of-203.0.113.10"));
    });

    test("an edge with another fingerprint is left out, and one that is set is not prompted for", async () => {
        const another = await answered(["203.0.113.10", "root"], { ask: askEdge, same: false });
        expect(another.kept).toEqual({});
        const had = { edge: { address: "203.0.113.10" } };
        expect((await answered([], { ask: askEdge, had })).kept).toEqual(had);
    });
});
