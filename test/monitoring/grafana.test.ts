import { parse } from "yaml";
import { type Manifest, ofKind } from "../charts/manifest";
import { Workspace } from "../charts/workspace";
import { filesOf, renderConfigs } from "./chart";

jest.setTimeout(120_000);

/** The environment of Grafana's container: a value, or the Secret and key that it comes from. */
async function environment(...values: string[]): Promise<Record<string, string | undefined>> {
    const workspace = new Workspace("helm4");
    const objects: Manifest[] = await workspace.render("monitoring", ...values).finally(() => workspace.remove());
    const grafana = ofKind(objects, "Deployment").find(({ metadata }) => metadata.name === "grafana");
    const variables = grafana?.spec?.template.spec?.containers[0]?.env ?? [];
    return Object.fromEntries(
        variables.map(({ name, value, valueFrom }) => {
            const { name: secret, key } = valueFrom?.secretKeyRef ?? {};
            return [name, secret ? `${secret}/${key}` : value];
        }),
    );
}

test("the administrator's password comes from the chart's Secret, and users cannot sign up", async () => {
    expect(await environment()).toMatchObject({
        GF_SECURITY_ADMIN_PASSWORD: "monitoring-secrets/grafana-admin-password",
        GF_SECURITY_SECRET_KEY: "monitoring-secrets/grafana-secret-key",
        GF_USERS_ALLOW_SIGN_UP: "false",
    });
});

test("single sign-on is off by default; once enabled, its secret comes from the chart's Secret", async () => {
    const off = await environment();
    const on = await environment(
        "--set=sso.name=Home,sso.clientId=grafana,sso.authUrl=https://id/auth",
        "--set=sso.tokenUrl=https://id/token,sso.userUrl=https://id/user",
    );

    expect(Object.keys(off).filter((name) => name.startsWith("GF_AUTH_"))).toEqual([]);
    expect(on).toMatchObject({
        GF_AUTH_GENERIC_OAUTH_ENABLED: "true",
        GF_AUTH_GENERIC_OAUTH_CLIENT_ID: "grafana",
        GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET: "monitoring-secrets/grafana-sso-secret",
    });
});

test("dashboards are read from the mounted folders, and data sources are the home's own Services", async () => {
    const configs = await renderConfigs();
    const { providers } = parse(filesOf(configs, "grafana")["dashboards.yaml"] ?? "");
    const { datasources } = parse(filesOf(configs, "grafana")["datasources.yaml"] ?? "");
    const workspace = new Workspace("helm4");
    const objects = await workspace.render("monitoring").finally(() => workspace.remove());
    const mounts = ofKind(objects, "Deployment")
        .find(({ metadata }) => metadata.name === "grafana")
        ?.spec?.template.spec?.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath);
    const services = ofKind(objects, "Service").flatMap(({ metadata, spec }) =>
        (spec?.ports ?? []).map(({ port }) => `http://${metadata.name}:${port}`),
    );

    expect(mounts).toContain(providers[0].options.path);
    expect(datasources.map(({ url }: { url: string }) => url)).toHaveLength(3);
    expect(services).toEqual(expect.arrayContaining(datasources.map(({ url }: { url: string }) => url)));
});
