import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tool } from "../../toolchain/tools";
import { Runner, write } from "./act";
import { type Registry, startRegistry } from "./registry";

const architectures = ["amd64", "arm64"];
let directory: string;
let registry: Registry;
let runner: Runner;

beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "hearth-workflows-"));
    registry = await startRegistry();
    runner = new Runner(join(directory, "runner"), registry.host);
});

afterAll(async () => {
    await registry.stop();
    rmSync(directory, { recursive: true, force: true });
});

/** The file in docs/builds.md for a user's repository. */
function documentedWorkflow(): string {
    const page = readFileSync("docs/builds.md", "utf8");
    const [, workflow] = /```yaml\n# .gitea\/workflows\/image.yaml\n([^`]+)```/.exec(page) ?? [];
    if (workflow === undefined) {
        throw new Error("docs/builds.md shows no workflow");
    }
    // act looks for workflows of other repositories in GitHub's folder only; Gitea's runner knows both.
    return workflow.replace("/.gitea/", "/.github/");
}

function git(repository: string, ...args: string[]): void {
    execFileSync("git", ["-C", repository, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args]);
}

/** Another repository of the home. */
function repositoryWith(name: string, dockerfile: string): string {
    const repository = join(directory, name);
    write(join(repository, ".gitea/workflows/image.yaml"), documentedWorkflow());
    write(join(repository, "Dockerfile"), dockerfile);
    write(join(repository, "hello"), "hello from the home\n");
    git(repository, "init", "--quiet", "--initial-branch", "main");
    git(repository, "remote", "add", "origin", `http://${registry.host}/family/${name}.git`);
    git(repository, "add", ".");
    git(repository, "commit", "--quiet", "--message", "feat: an image");
    return repository;
}

const crane = (...args: string[]) => execFileSync(tool("crane"), args, { encoding: "utf8" });

test("a repository of the home gets one image for both architectures, by the documented workflow", async () => {
    const repository = repositoryWith("greeter", 'FROM scratch\nCOPY hello /hello\nENTRYPOINT ["/hello"]\n');

    expect(await runner.push(repository)).toHaveEndedWith(0);

    const image = `${registry.host}/family/greeter:latest`;
    const index = JSON.parse(crane("manifest", image)) as { manifests: { platform: object; digest: string }[] };
    expect(index.manifests.map(({ platform }) => platform)).toEqual(
        architectures.map((architecture) => ({ os: "linux", architecture })),
    );
    for (const [position, architecture] of architectures.entries()) {
        const platform = ["--platform", `linux/${architecture}`];
        expect(crane("digest", `${image}-${architecture}`).trim()).toBe(index.manifests[position]?.digest);
        expect(JSON.parse(crane("config", ...platform, image))).toMatchObject({
            architecture,
            config: { Entrypoint: ["/hello"] },
        });
        const pulled = join(directory, `${architecture}.tar`);
        crane("pull", ...platform, image, pulled);
        const files = execFileSync(tool("crane"), ["export", "-", "-"], { input: readFileSync(pulled) });
        const hello = execFileSync("tar", ["--extract", "--to-stdout", "hello"], { input: files, encoding: "utf8" });
        expect(hello).toBe("hello from the home\n");
    }
}, 600_000);

test("a failed build leaves the tag unchanged", async () => {
    const repository = repositoryWith("broken", "FROM scratch\nCOPY hello /hello\n");
    const image = `${registry.host}/family/broken:latest`;
    await runner.push(repository);
    const before = crane("digest", image);
    write(join(repository, "Dockerfile"), "FROM scratch\nRUN false\n");
    git(repository, "commit", "--quiet", "--all", "--message", "feat: does not build");

    const { exitCode, output } = await runner.push(repository);

    expect(exitCode).toBe(1);
    expect(output).toContain("the stand-in does not know RUN false");
    expect(crane("digest", image)).toBe(before);
}, 600_000);
