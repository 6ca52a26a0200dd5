import * as pulumi from "@pulumi/pulumi";
import * as delivery from "../../../components/gitea/delivery";
import { WebhookDelivery } from "../../../components/webhook-delivery";
import { mockEngine, settled } from "./mocks";

const args = {
    ...{ url: "http://git.home.arpa/home/hearth.git", branch: "main", kubeconfig: "kubeconfig", after: "root" },
    declared: new Date().toISOString(),
    gitea: { administrator: { name: "hearth", password: "hunter2" }, webhook: "http://argocd/api/webhook" },
};

afterEach(() => jest.restoreAllMocks());

test.each([
    ["a push that does not reach Argo CD is a warning of the update", false, args.declared, ["A push is lost"]],
    ["a preview sends no test", true, args.declared, []],
    ["an update that leaves the webhook as it is sends none", false, "2026-11-29T08:00:00.000Z", []],
    ["a webhook without a recorded time is not tested", false, "", []],
])("%s", async (_, isPreview, declared, warnings) => {
    await mockEngine();
    jest.spyOn(pulumi.runtime, "isDryRun").mockReturnValue(isPreview);
    const asked = jest.spyOn(delivery, "lostDelivery").mockResolvedValue("A push is lost");
    const warn = jest.spyOn(pulumi.log, "warn").mockResolvedValue();
    new WebhookDelivery("webhook-delivery", { ...args, declared });
    await settled();

    expect(warn.mock.calls.map(([said]) => said)).toEqual(warnings);
    expect(asked.mock.calls.map(([{ server, repository }]) => [server, repository.owner])).toEqual(
        warnings.map(() => ["http://git.home.arpa", "home"]),
    );
});
