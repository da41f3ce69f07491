// The JSON of `app/schemas.py`. Money is in cents.
export interface Page<T> {
  items: T[];
  total: number;
  page: number;
  per_page: number;
}

export interface Customer {
  id: number;
  name: string;
  email: string;
  company: string;
  phone: string;
  country: string;
  created_at: string;
}

export interface Product {
  id: number;
  sku: string;
  name: string;
  description: string;
  price_cents: number;
  active: boolean;
}

export interface Order {
  id: number;
  customer_id: number;
  product_id: number;
  quantity: number;
  total_cents: number;
  status: "pending" | "active" | "cancelled";
  created_at: string;
}

export interface Invoice {
  id: number;
  number: string;
  customer_id: number;
  status: "open" | "paid" | "overdue" | "void";
  issued_on: string;
  due_on: string;
  total_cents: number;
  paid_cents: number;
  lines: { description: string; quantity: number; unit_cents: number }[];
}

export interface Payment {
  id: number;
  invoice_id: number;
  amount_cents: number;
  method: string;
  reference: string;
  received_at: string;
}
