// Written by scripts/console_types.py from the server's OpenAPI document; not by hand.

export interface InstallBody {
  addon_id: string;
  version?: string;
  sha256?: string;
  settings?: Record<string, unknown> | null;
  inactive?: boolean;
  with_requirements?: boolean;
  restore?: string;
  confirm_within?: number | string;
}

export interface LicenseBody {
  license_key: string;
}

export interface MendBody {
  findings: "all" | string[];
}

export interface PlanBody {
  kind: "install" | "activate" | "deactivate" | "upgrade" | "rollback" | "uninstall" | "backup" | "restore";
  addon_id: string;
  version?: string;
  sha256?: string;
  data?: "" | "keep" | "export" | "purge" | "restore";
  keep_new_rows?: boolean;
  backup?: string;
  restore?: string;
  inactive?: boolean;
  with_requirements?: boolean;
  force?: boolean;
  confirm_within?: number | string;
}

export interface PublisherBody {
  name: string;
  key: string;
}

export interface RestoreBody {
  backup?: string;
  keep_new_rows?: boolean;
  accept_loss?: boolean;
}

export interface RollbackBody {
  version?: string;
  data?: "restore" | "keep";
  keep_new_rows?: boolean;
  accept_loss?: boolean;
}

export interface ToggleBody {
  enabled?: boolean | null;
}

export interface UpgradeBody {
  version?: string;
  sha256?: string;
  with_requirements?: boolean;
  confirm_within?: number | string;
  keep_new_rows?: boolean;
  accept_publisher?: boolean;
}
