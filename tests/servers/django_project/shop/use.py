"""Use the shop's tables from ``manage.py shell``, as the connection's tenant."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User

from shop.models import Category, Customer, Order, Product, Tag


def order(email: str) -> int:
    """Store an order with the rows that it needs, and return the number of customers."""
    category, _ = Category.objects.get_or_create(slug="bells")
    product, _ = Product.objects.get_or_create(category=category, sku="B-1", defaults={"price": 5})
    product.tags.add(Tag.objects.get_or_create(word="loud")[0])
    user, _ = User.objects.get_or_create(username=email)
    user.user_permissions.add(Permission.objects.first())
    customer, _ = Customer.objects.update_or_create(email=email, defaults={"name": "A customer", "user": user})
    order = Order.objects.create(customer=customer, number=customer.order_set.count() + 1)
    order.lines.create(product=product)
    return Customer.objects.count()
