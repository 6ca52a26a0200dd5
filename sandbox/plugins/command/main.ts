import { version } from "@pulumi/command/package.json";
import { serve } from "../engine";
import { CommandProvider } from "./provider";

serve((showStatus) => new CommandProvider(version, showStatus));
