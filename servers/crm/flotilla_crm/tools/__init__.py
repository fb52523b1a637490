"""What the model sees. Each tool is a line over the store; bad input never reaches it."""

from . import accounts, activities, contacts, deals, health

TOOLS = [
    accounts.search_accounts,
    accounts.get_account,
    contacts.list_account_contacts,
    deals.list_account_deals,
    activities.list_account_activities,
    accounts.list_field_changes,
    accounts.get_account_review,
    contacts.get_contact_by_email,
    deals.get_deal_by_name,
    deals.list_open_deals,
    accounts.get_user_info,
    contacts.find_duplicate_contacts,
    health.calculate_account_health_score,
    health.detect_risk_signals,
    contacts.create_contact,
    contacts.update_contact,
    deals.create_deal,
    deals.update_deal,
    activities.log_activity,
    contacts.merge_contacts,
]
