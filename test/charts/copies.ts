import { backupOverrides } from "../../components/overrides";

const [override] = backupOverrides({
    repository: { url: "https://git.example.com/home/hearth.git", revision: "main" },
    domain: "home.example.com",
    charts: {},
    nfs: undefined,
    backup: {
        ...{ target: "s3:https://s3.example.com/home", s3: { accessKey: "key", secretKey: "hidden-secret-key" } },
        ...{ password: "hidden-password", home: "home.example.com", start: 1, hours: 4, startEmpty: false },
        keep: { daily: 7, weekly: 4, monthly: 12 },
        second: { target: "nfs://nas.example.com/volume1/copies" },
    },
});

/** Values that the program passes to the charts of a home with copies at two places. */
export const copiesValues = { global: { backup: override?.value } };
