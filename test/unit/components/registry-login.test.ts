import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Application } from "../../../components/applications";
import { pullingNamespaces, RegistryLogin } from "../../../components/registry-login";
import { byType, mockEngine, settled } from "./mocks";

const root = mkdtempSync(join(tmpdir(), "hearth-registry-"));
const application = (name: string, namespace = name) => ({ name, namespace }) as Application;

function chart(name: string, repository: string): void {
    mkdirSync(join(root, "charts", name), { recursive: true });
    const values = `workloads:\n  ${name}:\n    image:\n      repository: ${repository}\n      tag: 1.0.0\n`;
    writeFileSync(join(root, "charts", name, "values.yaml"), values);
}

afterAll(() => rmSync(root, { recursive: true }));

test("only namespaces that run an image of the home get a login for the home's registry", async () => {
    chart("page", "git.home.example.com/family/page");
    chart("ntfy", "docker.io/binwiederhier/ntfy");
    const registered = await mockEngine();
    new RegistryLogin("registry-login", {
        root,
        applications: [application("page"), application("ntfy")],
        domain: "home.example.com",
        password: "secret",
    });
    await settled();

    const secrets = byType(registered, "kubernetes:core/v1:Secret");
    expect(Object.keys(secrets)).toEqual(["registry-login-page"]);
    expect(secrets["registry-login-page"]).toMatchObject({
        metadata: { name: "registry", namespace: "page" },
        type: "kubernetes.io/dockerconfigjson",
    });
    const { value } = (secrets["registry-login-page"] as { data: { value: Record<string, string> } }).data;
    expect(JSON.parse(Buffer.from(value[".dockerconfigjson"] ?? "", "base64").toString())).toEqual({
        auths: { "git.home.example.com": { auth: Buffer.from("nodes:secret").toString("base64") } },
    });
});

test("two services in one namespace share its login", () => {
    chart("page", "git.home.example.com/family/page");
    chart("blog", "git.home.example.com/family/blog");
    const applications = [application("page", "family"), application("blog", "family")];

    expect(pullingNamespaces(root, applications, "home.example.com")).toEqual(["family"]);
});
