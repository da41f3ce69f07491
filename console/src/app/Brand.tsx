import { Link } from "react-router";
import { boot } from "../../sdk/boot";

/** The host's mark and name, which lead to its first page. */
export function Brand({ to = "/" }: { to?: string }) {
  const { name, logo } = boot.brand;
  return (
    <Link to={to} className="hb-brand">
      <span className="hb-mark">{logo ? <img src={logo} alt="" /> : name.slice(0, 1).toUpperCase()}</span>
      <span>{name}</span>
    </Link>
  );
}
