import { parse } from "yaml";
import { traefikValues } from "../../components/k3s";
import { containers, type Manifest, ofKind } from "./manifest";
import { Workspace } from "./workspace";

/** Route of TCP connections, with the fields that are tested. */
interface Route extends Manifest {
    readonly spec: {
        readonly entryPoints: readonly string[];
        readonly routes: readonly { readonly services: readonly { readonly name: string; readonly port: number }[] }[];
    };
}

async function gitops(...values: string[]) {
    const workspace = new Workspace("helm4");
    try {
        const objects = await workspace.render("gitops", ...values);
        const gitea = containers(objects).find(({ container }) => container.name === "gitea")?.container;
        const variable = (name: string) => gitea?.env?.find((each) => each.name === `GITEA__server__${name}`)?.value;
        return { objects, gitea, variable };
    } finally {
        workspace.remove();
    }
}

const routes = (objects: readonly Manifest[]) => objects.filter(({ kind }) => kind === "IngressRouteTCP") as Route[];

test("the SSH address that Gitea shows leads through Traefik to the port that Gitea's SSH server listens on", async () => {
    const { objects, gitea, variable } = await gitops();
    const [route] = routes(objects);
    const target = route?.spec.routes[0]?.services[0];
    const service = ofKind(objects, "Service").find(({ metadata }) => metadata.name === target?.name);
    const port = service?.spec?.ports?.find((each) => each.port === target?.port);
    const entryPoint = parse(traefikValues("")).ports[route?.spec.entryPoints[0] ?? ""];
    const [ingress] = ofKind(objects, "Ingress");

    expect(variable("SSH_DOMAIN")).toBe(ingress?.spec?.rules?.[0]?.host);
    expect(entryPoint).toMatchObject({ exposedPort: Number(variable("SSH_PORT")), expose: { default: true } });
    expect(gitea?.ports).toContainEqual({
        name: port?.targetPort,
        containerPort: Number(variable("SSH_LISTEN_PORT")),
        protocol: "TCP",
    });
    expect(variable("DISABLE_SSH")).toBe("false");
});

test("with another ingress controller, which has no entry point for SSH, Gitea shows no SSH address", async () => {
    const { objects, variable } = await gitops("--set", "global.ingressClass=nginx");

    expect(routes(objects)).toEqual([]);
    expect(variable("DISABLE_SSH")).toBe("true");
});
