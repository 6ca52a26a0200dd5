import { parse } from "yaml";
import { registriesSchema } from "../../../config/nodes";
import { homeRegistries, registriesText, registryAuthorities } from "../../../provision/registries";

const ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

test("nodes log in at the home's own Gitea, once its password is in the config", () => {
    const home = { domain: "home.example.com", ownGitea: true, registries: {}, secrets: {} };
    expect(homeRegistries(home)).toEqual({});
    const secrets = { gitops: { "registry-password": "secret" } };
    expect(parse(registriesText(homeRegistries({ ...home, secrets })))).toEqual({
        mirrors: { "git.home.example.com": {} },
        configs: { "git.home.example.com": { auth: { username: "nodes", password: "secret" } } },
    });
    expect(homeRegistries({ ...home, secrets, ownGitea: false })).toEqual({});
});

test("a home without registries has no file for them", () => {
    expect(registriesText({})).toBe("");
    expect(registryAuthorities({})).toBe("");
});

test("mirrors, logins and authorities are where k3s reads them", () => {
    const registries = registriesSchema.parse({
        "docker.io": { mirrors: ["https://mirror.example.com"], rewrite: { "^(.*)$": "hub/$1" } },
        "git.example.com:3000": { username: "nodes", password: "secret", ca },
    });
    expect(parse(registriesText(registries))).toEqual({
        mirrors: {
            "docker.io": { endpoint: ["https://mirror.example.com"], rewrite: { "^(.*)$": "hub/$1" } },
            "git.example.com:3000": {},
        },
        configs: {
            "git.example.com:3000": {
                auth: { username: "nodes", password: "secret" },
                tls: { ca_file: "/etc/rancher/k3s/registries/git.example.com_3000.crt" },
            },
        },
    });
    const [file, text = ""] = registryAuthorities(registries).split(" ");
    expect([file, Buffer.from(text, "base64").toString()]).toEqual(["git.example.com_3000.crt", ca]);
});
